'use strict';

const fs = require('fs');
const path = require('path');
const { NotFoundError } = require('./errors');

const FILE = path.join(__dirname, '..', 'data', 'stock.csv');

/**
 * Stock of one article over all warehouses. The file is read on every call:
 * the ERP replaces it every few minutes.
 */
exports.lookup = function lookup(sku, callback) {
  fs.readFile(FILE, 'utf8', (err, text) => {
    if (err) return callback(err);

    const warehouses = text
      .split(/\r?\n/)
      .slice(1)
      .map((row) => row.split(';'))
      .filter((row) => row[0] === sku)
      .map(([, warehouse, onHand, reserved]) => ({ warehouse, free: onHand - reserved }));
    if (warehouses.length === 0) return callback(new NotFoundError('stock of', sku));

    const free = warehouses.reduce((sum, w) => sum + w.free, 0);
    callback(null, { sku, free, warehouses, status: free === 0 ? 'sold out' : free < 10 ? 'low' : 'in stock' });
  });
};
