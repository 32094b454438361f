/**
 * When the runtime compiles to machine code. The binary starts with a policy that compiles next to nothing (`task build`), for
 * what runs once is not worth it: the code, and the compiler's threads and their heaps, would stay in a proxy that then waits.
 */

let isReluctant = true;

/** The start is over: what runs from here on will run again. Costs nothing when called again. */
export function compileAsUsual(): void {
  if (!isReluctant) return;
  isReluctant = false;
  Bun.unsafe.setJITPolicy(1);
}
