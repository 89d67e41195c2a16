'use strict';

const _ = require('lodash');
const { NotFoundError } = require('./errors');

const products = _.keyBy(require('../data/products.json'), 'sku');

exports.size = () => _.size(products);

exports.has = (sku) => _.has(products, sku);

exports.find = (sku) => {
  if (!_.has(products, sku)) throw new NotFoundError('product', sku);
  return products[sku];
};
