"use strict";

const PRICES = { "COF-HOUSE-500": 1090, "TEA-EARL-100": 640, "MUG-BLUE-300": 1250 };

/** Sum in cents; throws for an article that there is not. */
module.exports = function price(lines) {
  return lines.reduce((sum, line) => {
    if (!(line.sku in PRICES)) {
      const error = new Error(`unknown article ${line.sku}`);
      error.name = "UnknownArticleError";
      throw error;
    }
    return sum + PRICES[line.sku] * line.quantity;
  }, 0);
};
