'use strict';

const Decimal = require('decimal.js');

// own constructor: decimal.js settings are global otherwise
const Money = Decimal.clone({ precision: 30 });

exports.of = (value) => new Money(value);
exports.sum = (values) => values.reduce((total, value) => total.plus(value), new Money(0));
exports.percent = (value, rate) => value.times(rate).dividedBy(100);
exports.round = (value) => value.toDecimalPlaces(2, Decimal.ROUND_HALF_UP);
exports.format = (value) => new Money(value).toFixed(2, Decimal.ROUND_HALF_UP);
