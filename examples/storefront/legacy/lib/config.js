'use strict';

module.exports = {
  shopName: process.env.SHOP_NAME || 'Finch & Juniper',
  currency: process.env.SHOP_CURRENCY || 'EUR',
  invoicePrefix: process.env.SHOP_INVOICE_PREFIX || 'FJ',
  freeShippingFrom: '45.00',
  shipping: { DE: '4.90', AT: '8.90', NL: '8.90', FR: '9.90', default: '14.90' },
  // percent, by tax class
  vat: { food: '7', standard: '19' },
};
