'use strict';

const { ScanCommand } = require('@aws-sdk/lib-dynamodb');
const dynamodb = require('./dynamodb');
const response = require('./response');

module.exports = (event, callback) => {
  const query = event.queryStringParameters || {};
  const params = { TableName: process.env.PRODUCTS_TABLE };
  if (query.category) {
    params.FilterExpression = 'category = :category';
    params.ExpressionAttributeValues = { ':category': query.category };
  }

  dynamodb.send(new ScanCommand(params), (err, result) => {
    if (err) {
      console.error(err);
      callback(null, response.error(500, 'Could not list the products'));
      return;
    }
    const items = result.Items.sort((a, b) => (a.id < b.id ? -1 : 1));
    callback(null, response.json(200, { count: items.length, items }));
  });
};
