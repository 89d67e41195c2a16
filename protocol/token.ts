/** One token of MessagePack, reused: where it ends, and how many values follow as its children. */
export const token = { end: 0, children: 0 };

const NOT_FIXED = 0xff;
/** For each lead how many bytes follow in any case; NOT_FIXED where there are children, a length or a type to look at. */
const fixedSizes = new Uint8Array(256).fill(NOT_FIXED);
fixedSizes.fill(0, 0, 0x80);
for (let size = 0; size < 0x20; size++) fixedSizes[0xa0 + size] = size;
for (const lead of [0xc0, 0xc2, 0xc3]) fixedSizes[lead] = 0;
fixedSizes.set([4, 8, 1, 2, 4, 8, 1, 2, 4, 8], 0xca);
fixedSizes.fill(0, 0xe0);

/**
 * Where a token ends whose first byte says that, as those of most values do; 0 for others. The bytes may end before it.
 */
export function endOfFixed(offset: number, lead: number): number {
  const size = fixedSizes[lead] as number;
  return size === NOT_FIXED ? 0 : offset + 1 + size;
}

/** Reads any other token, at `offset` and of which `lead` is the first byte. Throws an Error for what is none. */
export function readToken(bytes: Uint8Array, offset: number, lead: number): void {
  token.children = 0;
  token.end = offset + 1;
  if (lead < 0x90) token.children = (lead & 0x0f) * 2;
  else if (lead < 0xa0) token.children = lead & 0x0f;
  else readLongToken(bytes, offset, lead);
  if (token.end > bytes.length) throw new Error("ended inside a value");
  if (token.children > bytes.length - token.end) throw new Error("holds less than its length says");
}

function readLongToken(bytes: Uint8Array, offset: number, lead: number): void {
  if (lead === 0xc1) throw new Error("0xc1 is no value");
  if (lead >= 0xd4 && lead <= 0xd8) {
    const size = 1 << (lead - 0xd4);
    checkExtension(bytes, offset + 1, size);
    token.end += 1 + size;
    return;
  }
  const width = lengthWidth(lead);
  const length = readLength(bytes, offset + 1, width);
  token.end += width;
  if (lead >= 0xde) token.children = length * 2;
  else if (lead >= 0xdc) token.children = length;
  else token.end += length;
  if (lead < 0xc7 || lead > 0xc9) return;
  checkExtension(bytes, token.end - length, length);
  token.end += 1;
}

/** Bytes of the length that follows a lead: bin, ext and str come as 8, 16, 32; array and map as 16, 32. */
function lengthWidth(lead: number): number {
  if (lead >= 0xdc) return lead % 2 === 0 ? 2 : 4;
  if (lead >= 0xd9) return 1 << (lead - 0xd9);
  return 1 << ((lead - 0xc4) % 3);
}

function readLength(bytes: Uint8Array, offset: number, width: number): number {
  if (offset + width > bytes.length) throw new Error("ended inside a value");
  let length = 0;
  for (let i = 0; i < width; i++) length = length * 256 + (bytes[offset + i] ?? 0);
  return length;
}

function checkExtension(bytes: Uint8Array, offset: number, size: number): void {
  const type = bytes[offset];
  const timestamp = type === 0xff && (size === 4 || size === 8 || size === 12);
  const nothing = type === 0 && size === 1;
  if (!(timestamp || nothing)) {
    const signed = ((type ?? 0) << 24) >> 24;
    throw new Error(`extension ${signed} with ${size} bytes: expected a timestamp or undefined`);
  }
}
