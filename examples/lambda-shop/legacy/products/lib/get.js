'use strict';

const { GetCommand } = require('@aws-sdk/lib-dynamodb');
const dynamodb = require('./dynamodb');
const response = require('./response');

module.exports = (event, callback) => {
  const params = {
    TableName: process.env.PRODUCTS_TABLE,
    Key: { id: event.pathParameters.id },
    ConsistentRead: true,
  };

  dynamodb.send(new GetCommand(params), (err, result) => {
    if (err) {
      console.error(err);
      callback(null, response.error(500, 'Could not get the product'));
      return;
    }
    if (!result.Item) {
      callback(null, response.error(404, 'No such product'));
      return;
    }
    callback(null, response.json(200, result.Item));
  });
};
