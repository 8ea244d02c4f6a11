/** Whether two types are the same, not only assignable. */
export type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** `is<Expected>()(value, true)` compiles only if the value has exactly this type. */
export function is<_Expected>() {
  return <Actual>(_value: Actual, _equal: Equal<Actual, _Expected>) => {}
}
