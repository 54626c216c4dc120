"""The region of mean rates and powers that any policy can reach, and the largest load that lies in it."""
