/**
 * How one budget is shared by holders that know nothing of each other: each may have as much as is free. One alone gets
 * half, n of them 1/(n+1) each, and as much is always left for the next one, so that nobody can use it up. (Dynamic
 * thresholds, Choudhury and Hahne 1998, with α = 1: what switches do with the memory of their ports.)
 *
 *     mayHold(300, 500, 1000)   // true: 300 of the 500 that are used are this holder's, and 500 are free
 *     mayHold(501, 501, 1000)   // false
 *
 * @param held what the holder would have
 * @param used what all would have, the holder included
 * @param weight α: a holder may have so many times what is free
 */
export function mayHold(held: number, used: number, budget: number, weight = 1): boolean {
  return held <= weight * (budget - used);
}
