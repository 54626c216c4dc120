// How results of the search are ranked: Sphinx's own numbers, but a symbol's row in the notation comes first, its place
// in the model next, and where it is only mentioned last.
const SYMBOL_SCORES = { notation: 100, model: 50, changelog: -50, architecture: -50 };
var Scorer = {
  score: ([page, , , , score, , kind]) => score + ((kind === "index" && SYMBOL_SCORES[page]) || 0),
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
