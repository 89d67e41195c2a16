// The bundler puts these in place of the globals of the same name, in the worker and in the packages inside it.

export { Buffer } from "node:buffer";
