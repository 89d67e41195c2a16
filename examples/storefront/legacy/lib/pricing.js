'use strict';

const _ = require('lodash');
const catalogue = require('./catalogue');
const config = require('./config');
const coupons = require('./coupons');
const money = require('./money');
const { PricingError } = require('./errors');

/**
 * Prices a cart. Prices in the catalogue include VAT, so VAT is taken out of
 * the totals and never added. All amounts are strings with two decimals.
 */
exports.quote = function quote(cart) {
  const lines = cart.lines.map(priceLine);
  const subtotal = money.sum(_.map(lines, 'total'));
  const discount = coupons.discount(cart.coupon, subtotal, cart.date || new Date());
  const goods = subtotal.minus(discount);
  const shipping = shippingFor(cart, goods);

  return {
    currency: config.currency,
    lines: lines.map((line) => Object.assign(_.omit(line, 'vat'), _.mapValues(_.pick(line, ['unit', 'total']), money.format))),
    subtotal: money.format(subtotal),
    discount: money.format(discount),
    shipping: money.format(shipping),
    total: money.format(goods.plus(shipping)),
    vat: includedVat(lines, subtotal, discount, shipping),
  };
};

function priceLine({ sku, quantity }, index) {
  const product = findProduct(sku, index + 1);
  const tier = _.findLast(product.tiers || [], (t) => quantity >= t.from);
  const list = money.of(product.price);
  const unit = tier ? money.round(list.minus(money.percent(list, tier.percent))) : list;
  return {
    sku,
    name: product.name,
    quantity,
    unit,
    tier: tier ? `${tier.percent} % off from ${tier.from}` : null,
    total: unit.times(quantity),
    vat: product.vat,
  };
}

function findProduct(sku, line) {
  try {
    return catalogue.find(sku);
  } catch (err) {
    throw new PricingError(`line ${line} can't be priced`, { code: 'UNKNOWN_SKU', line, sku }, err);
  }
}

function shippingFor(cart, goods) {
  if (goods.gte(config.freeShippingFrom) || coupons.freeShipping(cart.coupon)) return money.of(0);
  return money.of(config.shipping[cart.country || 'DE'] || config.shipping.default);
}

// the discount is spread over the tax classes by their share; shipping is taxed at the standard rate
function includedVat(lines, subtotal, discount, shipping) {
  const byClass = _.mapValues(_.groupBy(lines, 'vat'), (group) => {
    const gross = money.sum(_.map(group, 'total'));
    const share = subtotal.isZero() ? gross : gross.dividedBy(subtotal);
    return gross.minus(discount.times(share));
  });
  byClass.standard = (byClass.standard || money.of(0)).plus(shipping);

  return Object.keys(byClass)
    .sort()
    .filter((name) => !byClass[name].isZero())
    .map((name) => {
      const rate = config.vat[name];
      const net = byClass[name].dividedBy(money.of(rate).dividedBy(100).plus(1));
      return { class: name, rate: `${rate} %`, amount: money.format(byClass[name].minus(net)) };
    });
}
