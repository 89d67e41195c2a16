'use strict';

const moment = require('moment');
const PDFDocument = require('pdfkit');
const address = require('./address');
const config = require('./config');
const orders = require('./orders');
const pricing = require('./pricing');

const COLUMNS = { name: 50, quantity: 330, unit: 380, total: 460 };
const RIGHT = 545;
const BOTTOM = 760;

/** @returns {Promise<Buffer>} the invoice as a PDF */
exports.render = async function render(orderId) {
  const order = orders.find(orderId);
  const quote = pricing.quote(Object.assign({ country: order.shipping.country }, order));
  const number = `${config.invoicePrefix}-${moment.utc(order.date).format('YYYY')}-${order.id}`;

  const doc = new PDFDocument({
    size: 'A4',
    margin: 50,
    info: { Title: `Invoice ${number}`, Author: config.shopName, CreationDate: new Date(order.date) },
  });
  const done = collect(doc);
  drawHead(doc, number, order);
  const y = drawLines(doc, quote.lines, 250);
  drawTotals(doc, quote, y);
  doc.end();
  return done;
};

function collect(doc) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    doc.on('data', (chunk) => chunks.push(chunk));
    doc.on('end', () => resolve(Buffer.concat(chunks)));
    doc.on('error', reject);
  });
}

function drawHead(doc, number, order) {
  doc.font('Helvetica-Bold').fontSize(20).text(config.shopName, 50, 50);
  doc.font('Helvetica').fontSize(10);
  doc.text(address.lines(order.shipping).join('\n'), 50, 110);
  doc.text(`Invoice ${number}\n${moment.utc(order.date).format('D MMMM YYYY')}`, 350, 110, { width: RIGHT - 350, align: 'right' });
  drawRow(doc.font('Helvetica-Bold'), 225, ['Article', 'Quantity', 'Price', 'Total']);
  doc.moveTo(50, 242).lineTo(RIGHT, 242).stroke();
  doc.font('Helvetica');
}

function drawLines(doc, lines, top) {
  let y = top;
  for (const line of lines) {
    if (y > BOTTOM) {
      doc.addPage();
      y = 50;
    }
    drawRow(doc, y, [line.name, String(line.quantity), line.unit, line.total]);
    y += 20;
  }
  return y;
}

function drawTotals(doc, quote, top) {
  const rows = [['Coupon', `-${quote.discount}`], ['Shipping', quote.shipping], [`Total ${quote.currency}`, quote.total]].concat(
    quote.vat.map((vat) => [`including VAT ${vat.rate}`, vat.amount]),
  );
  let y = top + 15;
  if (y + rows.length * 18 > BOTTOM) {
    doc.addPage();
    y = 50;
  }
  for (const [label, amount] of rows) {
    drawRow(doc, y, [label, '', '', amount]);
    y += 18;
  }
}

function drawRow(doc, y, [name, quantity, unit, total]) {
  doc.text(name, COLUMNS.name, y, { width: 270, lineBreak: false });
  doc.text(quantity, COLUMNS.quantity, y, { width: 40, align: 'right' });
  doc.text(unit, COLUMNS.unit, y, { width: 60, align: 'right' });
  doc.text(total, COLUMNS.total, y, { width: RIGHT - COLUMNS.total, align: 'right' });
}
