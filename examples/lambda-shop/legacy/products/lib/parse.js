'use strict';

// Returns undefined for what is no JSON
module.exports = (event) => {
  try {
    return JSON.parse(event.body);
  } catch (e) {
    return undefined;
  }
};
