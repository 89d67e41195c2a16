'use strict';

const Ajv = require('ajv');
const addFormats = require('ajv-formats');
const catalogue = require('./catalogue');

const ajv = new Ajv({ allErrors: true });
addFormats(ajv, ['email', 'date']);
ajv.addKeyword({
  keyword: 'knownSku',
  type: 'string',
  validate: (_schema, sku) => catalogue.has(sku),
  error: { message: 'is not in our catalogue' },
});

const check = ajv.compile(require('../schemas/order.json'));

/**
 * @param {object} order as the checkout form posts it
 * @returns {{valid: boolean, errors: {field: string, rule: string, message: string}[]}}
 */
module.exports = function validate(order) {
  if (check(order)) return { valid: true, errors: [] };
  return { valid: false, errors: check.errors.map(toFieldError) };
};

function toFieldError(error) {
  const path = error.instancePath.split('/').slice(1);
  if (error.keyword === 'required') path.push(error.params.missingProperty);
  if (error.keyword === 'additionalProperties') path.push(error.params.additionalProperty);
  return { field: path.join('.') || '(order)', rule: error.keyword, message: error.message };
}
