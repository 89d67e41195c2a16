'use strict';

// details end up on the error itself, so that the API layer can answer
// with err.statusCode and the support team finds the rest in the log
class ShopError extends Error {
  constructor(message, details, cause) {
    super(message);
    this.name = this.constructor.name;
    Object.assign(this, details);
    if (cause) this.cause = cause;
    Error.captureStackTrace(this, this.constructor);
  }
}

class NotFoundError extends ShopError {
  constructor(what, id) {
    super(`${what} ${id} not found`, { code: 'NOT_FOUND', statusCode: 404, id });
  }
}

class PricingError extends ShopError {
  constructor(message, details, cause) {
    super(message, Object.assign({ code: 'PRICING', statusCode: 422 }, details), cause);
  }
}

module.exports = { ShopError, NotFoundError, PricingError };
