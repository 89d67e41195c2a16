import { indexOf, sizeOf } from "./methods.ts";
import { endOfFixed, readToken, token } from "./token.ts";

/**
 * Puts U+FFFD where a text or key in MessagePack has half of a surrogate pair, as UTF-8 encoders do. msgpackr writes texts
 * of fewer than 64 UTF-16 units by itself, and such a half as three bytes that are no UTF-8; Buffer writes longer ones.
 * Changes the bytes, which must be one whole value.
 */
export function mendHalves(bytes: Uint8Array): void {
  if (!mayHoldHalf(bytes)) return;
  const size = sizeOf(bytes);
  for (let offset = 0; offset < size; ) {
    const end = endOfToken(bytes, offset);
    mendShortText(bytes, offset, end);
    offset = end;
  }
}

/** How many bytes are looked at before indexOf is asked again, which takes about as long to start. */
const STRIDE = 64;

/** Numbers and bytes may look like a half, too, but seldom do. */
function mayHoldHalf(bytes: Uint8Array): boolean {
  for (let i = indexOf(bytes, 0xed); i >= 0; i = indexOf(bytes, 0xed, i)) {
    for (const end = i + STRIDE; i < end; i++) if (isHalf(bytes, i)) return true;
  }
  return false;
}

/** ED, A0 to BF, 80 to BF: what three bytes of UTF-8 would be for U+D800 to U+DFFF. */
function isHalf(bytes: Uint8Array, i: number): boolean {
  return (
    bytes[i] === 0xed &&
    ((bytes[i + 1] as number) & 0xe0) === 0xa0 &&
    ((bytes[i + 2] as number) & 0xc0) === 0x80
  );
}

function endOfToken(bytes: Uint8Array, offset: number): number {
  const lead = bytes[offset] as number;
  const end = endOfFixed(offset, lead);
  if (end > 0) return end;
  readToken(bytes, offset, lead);
  return token.end;
}

/** Of 64 UTF-16 units are at most 192 bytes, whose length is in the lead or in one byte after it. */
function mendShortText(bytes: Uint8Array, offset: number, end: number): void {
  const lead = bytes[offset] as number;
  if ((lead < 0xa0 || lead >= 0xc0) && lead !== 0xd9) return;
  for (let i = lead === 0xd9 ? offset + 2 : offset + 1; i < end - 2; i++) {
    if (!isHalf(bytes, i)) continue;
    bytes[i] = 0xef;
    bytes[i + 1] = 0xbf;
    bytes[i + 2] = 0xbd;
  }
}
