'use strict';

exports.lines = (address) => [
  address.name,
  address.street,
  `${address.zip} ${address.city}`,
  address.country === 'DE' ? '' : address.country,
].filter(Boolean);
