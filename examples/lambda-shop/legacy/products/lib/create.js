'use strict';

const crypto = require('crypto');
const { PutCommand } = require('@aws-sdk/lib-dynamodb');
const dynamodb = require('./dynamodb');
const parse = require('./parse');
const response = require('./response');

module.exports = (event, callback) => {
  const data = parse(event);
  if (data === undefined) {
    callback(null, response.error(400, 'The body is not JSON'));
    return;
  }
  if (!data || typeof data.name !== 'string' || typeof data.price !== 'number') {
    callback(null, response.error(422, 'A product needs a name and a price'));
    return;
  }

  const item = {
    id: crypto.randomUUID(),
    name: data.name,
    price: data.price,
    category: data.category,
    stock: data.stock || 0,
    createdAt: new Date().toISOString(),
  };
  dynamodb.send(new PutCommand({ TableName: process.env.PRODUCTS_TABLE, Item: item }), (err) => {
    if (err) {
      console.error(err);
      callback(null, response.error(500, 'Could not create the product'));
      return;
    }
    callback(null, response.json(201, item, { Location: `/products/${item.id}` }));
  });
};
