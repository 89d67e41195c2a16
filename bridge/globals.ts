// The bundler puts these in place of the globals of the same name, in the worker: user code may replace,
// fake or delete the global ones.

import { Buffer as NodeBuffer } from "node:buffer";

const CapturedArray: ArrayConstructor = globalThis.Array;
const CapturedArrayBuffer: ArrayBufferConstructor = globalThis.ArrayBuffer;
const CapturedAtomics: Atomics = globalThis.Atomics;
const CapturedBigInt: BigIntConstructor = globalThis.BigInt;
const CapturedBoolean: BooleanConstructor = globalThis.Boolean;
const CapturedBuffer: typeof NodeBuffer = NodeBuffer;
const CapturedDataView: DataViewConstructor = globalThis.DataView;
const CapturedDate: DateConstructor = globalThis.Date;
const CapturedDOMException: typeof DOMException = globalThis.DOMException;
const CapturedError: ErrorConstructor = globalThis.Error;
const CapturedFunction: FunctionConstructor = globalThis.Function;
const CapturedInt32Array: Int32ArrayConstructor = globalThis.Int32Array;
const CapturedJSON: JSON = globalThis.JSON;
const CapturedMap: MapConstructor = globalThis.Map;
const CapturedMath: Math = globalThis.Math;
const CapturedNumber: NumberConstructor = globalThis.Number;
const CapturedObject: ObjectConstructor = globalThis.Object;
const CapturedPromise: PromiseConstructor = globalThis.Promise;
const CapturedRangeError: RangeErrorConstructor = globalThis.RangeError;
const CapturedReflect: typeof Reflect = globalThis.Reflect;
const CapturedRegExp: RegExpConstructor = globalThis.RegExp;
const CapturedSet: SetConstructor = globalThis.Set;
const CapturedSharedArrayBuffer: SharedArrayBufferConstructor = globalThis.SharedArrayBuffer;
const CapturedString: StringConstructor = globalThis.String;
const CapturedSymbol: SymbolConstructor = globalThis.Symbol;
const CapturedSyntaxError: SyntaxErrorConstructor = globalThis.SyntaxError;
const CapturedTypeError: TypeErrorConstructor = globalThis.TypeError;
const CapturedUint8Array: Uint8ArrayConstructor = globalThis.Uint8Array;
const capturedEncodeURIComponent: typeof encodeURIComponent = globalThis.encodeURIComponent;

export {
  CapturedArray as Array,
  CapturedArrayBuffer as ArrayBuffer,
  CapturedAtomics as Atomics,
  CapturedBigInt as BigInt,
  CapturedBoolean as Boolean,
  CapturedBuffer as Buffer,
  CapturedDataView as DataView,
  CapturedDate as Date,
  CapturedDOMException as DOMException,
  CapturedError as Error,
  CapturedFunction as Function,
  CapturedInt32Array as Int32Array,
  CapturedJSON as JSON,
  CapturedMap as Map,
  CapturedMath as Math,
  CapturedNumber as Number,
  CapturedObject as Object,
  CapturedPromise as Promise,
  CapturedRangeError as RangeError,
  CapturedReflect as Reflect,
  CapturedRegExp as RegExp,
  CapturedSet as Set,
  CapturedSharedArrayBuffer as SharedArrayBuffer,
  CapturedString as String,
  CapturedSymbol as Symbol,
  CapturedSyntaxError as SyntaxError,
  CapturedTypeError as TypeError,
  CapturedUint8Array as Uint8Array,
  capturedEncodeURIComponent as encodeURIComponent,
};
