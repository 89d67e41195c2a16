'use strict';

const { UpdateCommand } = require('@aws-sdk/lib-dynamodb');
const dynamodb = require('./dynamodb');
const parse = require('./parse');
const response = require('./response');

module.exports = (event, callback) => {
  const data = parse(event);
  if (data === undefined) {
    callback(null, response.error(400, 'The body is not JSON'));
    return;
  }
  const params = {
    TableName: process.env.PRODUCTS_TABLE,
    Key: { id: event.pathParameters.id },
    UpdateExpression: 'SET #name = :name, price = :price, stock = :stock, updatedAt = :now',
    ConditionExpression: 'attribute_exists(id)',
    ExpressionAttributeNames: { '#name': 'name' },
    ExpressionAttributeValues: {
      ':name': data.name,
      ':price': data.price,
      ':stock': data.stock || 0,
      ':now': new Date().toISOString(),
    },
    ReturnValues: 'ALL_NEW',
  };

  dynamodb.send(new UpdateCommand(params), (err, result) => {
    if (err && err.name === 'ConditionalCheckFailedException') {
      callback(null, response.error(404, 'No such product'));
      return;
    }
    if (err) {
      console.error(err);
      callback(null, response.error(500, 'Could not update the product'));
      return;
    }
    callback(null, response.json(200, result.Attributes));
  });
};
