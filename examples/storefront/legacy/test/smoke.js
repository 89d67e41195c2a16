'use strict';

// run with "npm test"; good enough to catch a broken deploy
const assert = require('assert');
const util = require('util');
const shop = require('..');

const cart = (...lines) => ({ lines: lines.map(([sku, quantity]) => ({ sku, quantity })) });

async function main() {
  const shipping = { name: 'A', street: 'B 1', zip: '04229', city: 'Leipzig', country: 'DE' };
  assert.deepStrictEqual(shop.validate(Object.assign({ email: 'a@b.de', shipping }, cart(['COF-ETH-250', 1]))), { valid: true, errors: [] });
  assert.deepStrictEqual(
    shop.validate(Object.assign({ email: 'nobody', shipping }, cart(['COF-ETH-250', 0], ['NOPE', 1]))).errors.map((e) => e.field).sort(),
    ['email', 'lines.0.quantity', 'lines.1.sku'],
  );

  const quote = shop.pricing.quote(Object.assign(cart(['COF-HOUSE-500', 10], ['MUG-BLUE-300', 1]), { coupon: 'WELCOME10' }));
  assert.strictEqual(quote.lines[0].unit, '10.89');
  assert.strictEqual(quote.subtotal, '123.40');
  assert.strictEqual(quote.discount, '12.34');
  assert.strictEqual(quote.total, '111.06');
  assert.throws(() => shop.pricing.quote(cart(['NOPE', 1])), (e) => e.code === 'UNKNOWN_SKU' && e.line === 1 && e.cause.statusCode === 404);
  assert.throws(() => shop.pricing.quote(Object.assign(cart(['COF-ETH-250', 1]), { coupon: 'SUMMER19' })), /ended on 2019-08-31/);

  assert.strictEqual(shop.deals.best(cart(['COF-HOUSE-500', 1], ['DRI-CER-02', 1], ['FIL-PAPER-02', 1])).saving, '6.00');
  assert.strictEqual(shop.deals.best(cart(['MUG-SAND-300', 1], ['MUG-BLUE-300', 1], ['CHO-HOT-300', 1])).saving, '4.00');
  assert.deepStrictEqual(shop.deals.best(cart(['TOW-LINEN-01', 1])), { deals: [], saving: '0.00' });

  assert.ok(shop.mail.confirmation(1002).html.includes('Zoë O&#x27;Brien &amp; Sons &lt;Ltd&gt;'));
  assert.strictEqual((await shop.invoices.render(1004)).slice(0, 5).toString(), '%PDF-');
  assert.strictEqual((await shop.describe({ title: 'Crème & Co', markdown: '*hi* <script>x</script>' })).html.trim(), '<p><em>hi</em> </p>');

  const lookup = util.promisify(shop.stock.lookup);
  assert.strictEqual((await lookup('COF-HOUSE-500')).free, 459);
  await assert.rejects(lookup('NOPE'), { statusCode: 404 });

  const merged = shop.carts.merge(cart(['COF-ETH-250', 2], ['OLD-1', 1]), cart(['COF-ETH-250', 1]));
  assert.deepStrictEqual(merged, { lines: [{ sku: 'COF-ETH-250', quantity: 3 }], coupon: null, dropped: ['OLD-1'] });
  console.log('ok');
}

main().catch((err) => {
  console.error(err);
  process.exit(1);
});
