import {
  Buffer,
  copyBytes,
  copyWithin,
  dataViewOf,
  setBigInt64,
  setBigUint64,
  setBytes,
  setFloat64,
  setUint32,
  sizeOf,
  unitAt,
  writeText,
} from "./methods.ts";

const { isNaN: isNotANumber, isSafeInteger } = Number;
const { asIntN } = BigInt;
const { floor, max } = Math;
/** Bytes that a writer has room for at first. */
const INITIAL_SIZE = 0x4000;
/** Texts of fewer UTF-16 units are written faster one by one than by a call of Buffer's, unless one is not ASCII. */
const SHORT = 64;

/** Writes tokens of MessagePack, one after the other. Methods for whole values return true. */
export class MsgpackWriter {
  /** Bytes that there is room for. */
  capacity: number = INITIAL_SIZE;
  #bytes: Buffer = Buffer.allocUnsafeSlow(INITIAL_SIZE);
  #view: DataView = dataViewOf(this.#bytes);
  #end = 0;

  /** Bytes written. */
  get end(): number {
    return this.#end;
  }

  /** Forgets what was written from there on. */
  cut(end: number): void {
    this.#end = end;
  }

  /** A copy of all that was written. */
  written(): Buffer {
    return copyBytes(this.#bytes, 0, this.#end);
  }

  nil(): true {
    return this.#byte(0xc0);
  }

  boolean(value: boolean): true {
    return this.#byte(value ? 0xc3 : 0xc2);
  }

  /** Safe integers in the shortest form, others as float64. -0 is 0, as in JSON. */
  number(value: number): true {
    if (value >>> 0 === value) this.#natural(value);
    else if (value >> 0 === value) this.#negative(value);
    else if (isSafeInteger(value)) this.#wideInteger(value);
    else this.#float(value);
    return true;
  }

  #natural(value: number): void {
    if (value < 0x80) this.#byte(value);
    else this.#lengthHead(value, 0xcc); // written as a length is
  }

  #negative(value: number): void {
    if (value < -0x8000) this.#long(0xd2, value);
    else if (value < -0x80) this.#short(0xd1, value);
    else {
      if (value < -0x20) this.#byte(0xd0);
      this.#byte(value);
    }
  }

  #wideInteger(value: number): void {
    this.#byte(0xd3);
    this.#word(floor(value / 0x100000000));
    this.#word(value);
  }

  #float(value: number): void {
    this.#byte(0xcb);
    this.#reserve(8);
    setFloat64(this.#view, this.#end, value);
    this.#end += 8;
  }

  /** As 64 bits, of which it must not have more. */
  bigInt(value: bigint): true {
    const signed = asIntN(64, value) === value;
    this.#byte(signed ? 0xd3 : 0xcf);
    this.#reserve(8);
    const set = signed ? setBigInt64 : setBigUint64;
    set(this.#view, this.#end, value);
    this.#end += 8;
    return true;
  }

  text(text: string): true {
    const { length } = text;
    if (length >= SHORT) return this.#longText(text);
    this.#reserve(2 + SHORT);
    const bytes = this.#bytes;
    let end = this.#end + (length < 32 ? 1 : 2);
    for (let i = 0; i < length; i++) {
      const unit = unitAt(text, i);
      if (unit >= 0x80) return this.#longText(text);
      bytes[end] = unit;
      end += 1;
    }
    this.#textHead(length);
    this.#end = end;
    return true;
  }

  /** Buffer writes U+FFFD for halves of surrogate pairs. */
  #longText(text: string): true {
    const size = Buffer.byteLength(text);
    this.#reserve(5 + size);
    this.#textHead(size);
    const written = writeText(this.#bytes, text, this.#end);
    if (written !== size) throw new Error(`a text of ${size} bytes took ${written}`);
    this.#end += size;
    return true;
  }

  #textHead(size: number): void {
    if (size < 32) this.#byte(0xa0 | size);
    else this.#lengthHead(size, 0xd9);
  }

  binary(bytes: Uint8Array): true {
    const size = sizeOf(bytes);
    this.#reserve(5 + size);
    this.#lengthHead(size, 0xc4);
    setBytes(this.#bytes, bytes, this.#end);
    this.#end += size;
    return true;
  }

  /** A timestamp of 32, 64 or 96 bits, from milliseconds since 1970; null for an invalid date. */
  date(time: number): true {
    if (isNotANumber(time)) return this.nil();
    const seconds = floor(time / 1000);
    const nanoseconds = (time - seconds * 1000) * 1_000_000;
    const high = floor(seconds / 0x100000000);
    if (high < 0 || high > 3) {
      this.#byte(0xc7);
      this.#byte(12);
      this.#byte(0xff);
      this.#word(nanoseconds);
      this.#word(high);
    } else if (high > 0 || nanoseconds > 0) {
      this.#byte(0xd7);
      this.#byte(0xff);
      this.#word(nanoseconds * 4 + high);
    } else {
      this.#byte(0xd6);
      this.#byte(0xff);
    }
    return this.#word(seconds);
  }

  /** The head of a list, whose items follow. */
  list(length: number): void {
    this.#head(length, 0x90, 0xdc);
  }

  /** The head of a map, whose keys and values follow. */
  map(count: number): void {
    this.#head(count, 0x80, 0xde);
  }

  /**
   * Writes anew how many entries the map has that begins at `start`: in no fewer bytes than were taken for `expected`, so
   * that all inside moves only where there are more.
   */
  recount(start: number, expected: number, count: number): void {
    const from = start + headSize(expected);
    const to = start + headSize(max(expected, count));
    const end = this.#end + to - from;
    if (to > from) {
      this.#reserve(to - from);
      copyWithin(this.#bytes, to, from, this.#end);
    }
    this.#end = start;
    if (to - start === 1) this.#byte(0x80 | count);
    else if (to - start === 3) this.#short(0xde, count);
    else this.#long(0xdf, count);
    this.#end = end;
  }

  /** A lead for lengths of 8, 16 or 32 bits, and the length. */
  #lengthHead(length: number, lead: number): void {
    if (length > 0xff) {
      this.#wideHead(length, lead + 1);
    } else {
      this.#byte(lead);
      this.#byte(length);
    }
  }

  /** A length in the lead, or in 16 or 32 bits after it. */
  #head(length: number, short: number, lead: number): void {
    if (length < 16) this.#byte(short | length);
    else this.#wideHead(length, lead);
  }

  #wideHead(length: number, lead: number): void {
    if (length > 0xffff) this.#long(lead + 1, length);
    else this.#short(lead, length);
  }

  #short(lead: number, value: number): void {
    this.#byte(lead);
    this.#byte(value >> 8);
    this.#byte(value);
  }

  #long(lead: number, value: number): void {
    this.#byte(lead);
    this.#word(value);
  }

  /** 32 bits: the lowest of the value. */
  #word(value: number): true {
    this.#reserve(4);
    setUint32(this.#view, this.#end, value);
    this.#end += 4;
    return true;
  }

  #byte(byte: number): true {
    this.#reserve(1);
    this.#bytes[this.#end] = byte;
    this.#end += 1;
    return true;
  }

  #reserve(size: number): void {
    if (this.#end + size > this.capacity) this.#grow(this.#end + size);
  }

  #grow(needed: number): void {
    let { capacity } = this;
    while (capacity < needed) capacity *= 2;
    const bytes = Buffer.allocUnsafeSlow(capacity);
    setBytes(bytes, this.#bytes, 0);
    this.capacity = capacity;
    this.#bytes = bytes;
    this.#view = dataViewOf(bytes);
  }
}

/** Bytes of a list's or map's head. */
function headSize(length: number): number {
  if (length < 16) return 1;
  return length > 0xffff ? 5 : 3;
}
