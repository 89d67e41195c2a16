'use strict';

const MAX_QUANTITY = 999;

class CartService {
  constructor(catalogue) {
    this.catalogue = catalogue;
  }

  /** The cart of a guest who has just logged in, put together with the one saved before. */
  merge(guest, saved) {
    const quantities = new Map();
    for (const { sku, quantity } of this.known(saved).concat(this.known(guest))) {
      quantities.set(sku, Math.min((quantities.get(sku) || 0) + quantity, MAX_QUANTITY));
    }
    return {
      lines: Array.from(quantities, ([sku, quantity]) => ({ sku, quantity })),
      coupon: guest.coupon || saved.coupon || null,
      dropped: this.unknown(saved).concat(this.unknown(guest)),
    };
  }

  known(cart) {
    return cart.lines.filter((line) => this.catalogue.has(line.sku));
  }

  unknown(cart) {
    return cart.lines.filter((line) => !this.catalogue.has(line.sku)).map((line) => line.sku);
  }
}

module.exports = CartService;
