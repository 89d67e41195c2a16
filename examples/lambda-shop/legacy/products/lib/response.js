'use strict';

const cors = { 'Access-Control-Allow-Origin': '*' };

exports.json = (statusCode, body, headers) => ({
  statusCode,
  headers: Object.assign({ 'Content-Type': 'application/json' }, cors, headers),
  body: JSON.stringify(body),
});

exports.error = (statusCode, message) => exports.json(statusCode, { error: message });

exports.empty = (statusCode) => ({ statusCode, headers: cors, body: '' });

exports.preflight = () => ({
  statusCode: 204,
  headers: Object.assign(
    {
      'Access-Control-Allow-Methods': 'GET,POST,PUT,DELETE,OPTIONS',
      'Access-Control-Allow-Headers': 'Content-Type',
      'Access-Control-Max-Age': '600',
    },
    cors
  ),
  body: '',
});
