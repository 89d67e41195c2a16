import { createHash } from "node:crypto";
import { deflateSync } from "node:zlib";

const cells = 5;
const scale = 12;

// A symmetric pattern of 5 × 5 cells in a colour, both made of a hash of the name.
export function identicon(name) {
  const hash = createHash("sha256").update(name).digest();
  const colour = hash.subarray(0, 3);
  const size = cells * scale;
  const rows = [];
  for (let y = 0; y < size; y++) {
    rows.push(0); // no filter
    for (let x = 0; x < size; x++) {
      rows.push(...(isSet(hash, Math.floor(x / scale), Math.floor(y / scale)) ? colour : [255, 255, 255]));
    }
  }
  return png(size, Buffer.from(rows));
}

const isSet = (hash, x, y) => hash[3 + y * cells + Math.min(x, cells - 1 - x)] % 2 === 0;

function png(size, rows) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  header.set([8, 2, 0, 0, 0], 8); // 8 bits each of red, green, blue
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    }
  }
  return ~crc >>> 0;
}
