export class LineMode {
  constructor(_output: number, _file: string | undefined) {}
  read(_chunk: Uint8Array): void {}
  end(): void {}
}
