// The functions as a class library for jsii. Of what jsii takes, text costs least: as `any` the same values are maps within
// maps, to be encoded once more to become a Go struct, and of a struct that jsii knows it asks for each field.

// jsii's compiler knows modules by the name of what they are compiled to.
// biome-ignore lint/correctness/useImportExtensions: it refuses "./method.ts"
import { methodOf } from "./method.js";

// biome-ignore lint/complexity/noStaticOnlyClass: jsii knows no functions but those of classes
export class Work {
  /** Not async, as the others' is: that would be two calls of jsii's. */
  public static echo(text: string): string {
    return JSON.stringify(JSON.parse(text));
  }

  public static check(text: string): string {
    return run("check", text);
  }

  public static validate(text: string): string {
    return run("validate", text);
  }

  public static render(text: string): string {
    return run("render", text);
  }

  public static heavy(text: string): string {
    return run("heavy", text);
  }
}

function run(method: string, text: string): string {
  return JSON.stringify(methodOf(method)(JSON.parse(text)));
}
