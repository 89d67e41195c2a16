'use strict';

const moment = require('moment');
const coupons = require('../data/coupons.json');
const money = require('./money');
const { PricingError } = require('./errors');

// what a coupon takes off a subtotal; `on` is the day of the order
exports.discount = (code, subtotal, on) => {
  if (!code) return money.of(0);
  const coupon = coupons.find((c) => c.code === code);
  if (!coupon) throw new PricingError(`coupon ${code} does not exist`, { code: 'UNKNOWN_COUPON', coupon: code });
  if (coupon.until && moment.utc(on).isAfter(coupon.until, 'day')) {
    throw new PricingError(`coupon ${code} ended on ${coupon.until}`, {
      code: 'COUPON_EXPIRED',
      coupon: code,
      expiredOn: coupon.until,
    });
  }
  if (subtotal.lessThan(coupon.minimum || 0)) return money.of(0);
  if (coupon.percent) return money.round(money.percent(subtotal, coupon.percent));
  return subtotal.lessThan(coupon.amount || 0) ? subtotal : money.of(coupon.amount || 0);
};

exports.freeShipping = (code) => coupons.some((c) => c.code === code && c.freeShipping);
