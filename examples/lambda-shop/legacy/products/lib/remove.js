'use strict';

const { DeleteCommand } = require('@aws-sdk/lib-dynamodb');
const dynamodb = require('./dynamodb');
const response = require('./response');

module.exports = (event, callback) => {
  const params = {
    TableName: process.env.PRODUCTS_TABLE,
    Key: { id: event.pathParameters.id },
    ReturnValues: 'ALL_OLD',
  };

  dynamodb.send(new DeleteCommand(params), (err, result) => {
    if (err) {
      console.error(err);
      callback(null, response.error(500, 'Could not delete the product'));
      return;
    }
    if (!result.Attributes) {
      callback(null, response.error(404, 'No such product'));
      return;
    }
    callback(null, response.empty(204));
  });
};
