// Command chaos proves that a host loses no call and leaves nothing behind, whatever is done to its workers: it makes
// calls whose answers only the right code can give to the right call, injects faults in an order that a seed decides, and
// looks all the time whether everything is within its bounds. docs/proof.md has more.
package main
