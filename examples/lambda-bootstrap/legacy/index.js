"use strict";

const price = require("./lib/price");

/** POST /orders of an HTTP API, as it has run on nodejs22.x. */
exports.handler = function (event, context, callback) {
  console.log("order", context.awsRequestId, context.getRemainingTimeInMillis());
  const order = JSON.parse(event.body);
  if (!Array.isArray(order.lines) || order.lines.length === 0) {
    callback(null, respond(400, { message: "an order has lines" }));
    return;
  }
  callback(null, respond(201, { customer: order.customer, total: price(order.lines) }));
};

function respond(statusCode, body) {
  return { statusCode, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}
