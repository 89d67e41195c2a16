'use strict';

const fs = require('fs');
const handlebars = require('handlebars');
const moment = require('moment');
const address = require('./address');
const config = require('./config');
const money = require('./money');
const orders = require('./orders');
const pricing = require('./pricing');

// relative to the working directory: the backend is always started from its own folder
const read = (name) => fs.readFileSync(`templates/${name}.hbs`, 'utf8');

handlebars.registerPartial('line', read('partials/line'));
handlebars.registerPartial('footer', read('partials/footer'));
handlebars.registerHelper('money', (amount) => `${money.format(amount)} ${config.currency}`);
handlebars.registerHelper('date', (date) => moment.utc(date).format('D MMMM YYYY'));

const confirmationTemplate = handlebars.compile(read('order-confirmation'), { strict: true });

exports.confirmation = function confirmation(orderId) {
  console.log('[mail] confirmation for order %s', orderId);
  const order = orders.find(orderId);
  const quote = pricing.quote(Object.assign({ country: order.shipping.country }, order));
  console.log('[mail] totals', { goods: quote.subtotal, discount: quote.discount, total: quote.total });
  if (!order.phone) console.warn('[mail] order %s has no phone number, the carrier will complain', orderId);

  const mail = {
    to: order.email,
    subject: `Your order ${order.id} at ${config.shopName}`,
    html: confirmationTemplate({
      shop: config.shopName,
      order,
      quote,
      hasDiscount: Number(quote.discount) > 0,
      address: address.lines(order.shipping),
    }),
  };
  console.log('[mail] %d bytes for %s', Buffer.byteLength(mail.html), maskEmail(mail.to));
  return mail;
};

function maskEmail(email) {
  return email.replace(/^(.).*@/, '$1***@');
}
