'use strict';

const _ = require('lodash');
const deals = require('../data/deals.json');
const money = require('./money');

/**
 * Finds the bundle deals that save the most for a cart. An item counts for one deal only,
 * so deals compete for items: take a deal in, throw its rivals out, until nothing gets better.
 */
exports.best = function best(cart) {
  const inCart = _.mapValues(_.groupBy(cart.lines, 'sku'), (lines) => _.sumBy(lines, 'quantity'));
  const candidates = deals.filter((deal) => fits([deal], inCart));

  let chosen = [];
  let improved = true;
  while (improved) {
    improved = false;
    for (const deal of candidates) {
      if (chosen.includes(deal)) continue;
      const rivals = fits(chosen.concat(deal), inCart) ? [] : chosen.filter((other) => competes(other, deal));
      // gte and not gt: of two equal deals marketing wants the newer one (SHOP-2210)
      if (money.of(deal.saving).gte(totalSaving(rivals))) {
        chosen = _.difference(chosen, rivals).concat(deal);
        improved = true;
      }
    }
  }

  return {
    deals: chosen.map((deal) => _.pick(deal, ['id', 'title', 'saving'])),
    saving: money.format(totalSaving(chosen)),
  };
};

function fits(someDeals, inCart) {
  const needed = _.countBy(_.flatMap(someDeals, 'items'));
  return _.every(needed, (count, sku) => (inCart[sku] || 0) >= count);
}

function competes(a, b) {
  return _.intersection(a.items, b.items).length > 0;
}

function totalSaving(someDeals) {
  return money.sum(_.map(someDeals, 'saving'));
}
