'use strict';

const _ = require('lodash');
const { NotFoundError } = require('./errors');

// nightly dump of the orders table, good enough until the new DB is there
const orders = _.keyBy(require('../data/orders.json'), 'id');

exports.find = (id) => {
  if (!_.has(orders, id)) throw new NotFoundError('order', id);
  return orders[id];
};
