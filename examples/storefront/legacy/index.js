'use strict';

const config = require('./lib/config');
const catalogue = require('./lib/catalogue');
const validate = require('./lib/validate');
const pricing = require('./lib/pricing');
const deals = require('./lib/deals');
const mail = require('./lib/mail');
const invoices = require('./lib/invoices');
const stock = require('./lib/stock');
const CartService = require('./lib/carts');

console.log('%s backend: %d products, %s prices', config.shopName, catalogue.size(), config.currency);

module.exports = {
  validate,
  pricing,
  deals,
  mail,
  invoices,
  stock,
  carts: new CartService(catalogue),

  // describe.mjs is an ES module because slugify is one since 2.0
  describe: (product) => import('./lib/describe.mjs').then((m) => m.describe(product)),
};
