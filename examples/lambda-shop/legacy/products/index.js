'use strict';

const list = require('./lib/list');
const create = require('./lib/create');
const get = require('./lib/get');
const update = require('./lib/update');
const remove = require('./lib/remove');
const response = require('./lib/response');

exports.handler = (event, context, callback) => {
  // answer when the callback is called, don't wait for connections to close
  context.callbackWaitsForEmptyEventLoop = false;
  console.log(`${event.httpMethod} ${event.path} (${context.functionName}, ${context.getRemainingTimeInMillis()} ms left)`);

  switch (`${event.httpMethod} ${event.resource}`) {
    case 'GET /products':
      list(event, callback);
      break;
    case 'POST /products':
      create(event, callback);
      break;
    case 'GET /products/{id}':
      get(event, callback);
      break;
    case 'PUT /products/{id}':
      update(event, callback);
      break;
    case 'DELETE /products/{id}':
      remove(event, callback);
      break;
    case 'OPTIONS /products':
    case 'OPTIONS /products/{id}':
      callback(null, response.preflight());
      break;
    default:
      callback(null, response.error(405, `${event.httpMethod} is not supported`));
  }
};
