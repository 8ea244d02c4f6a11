// Whether each committed order has its one task.

/** Compares orders, tasks, rows that are left, and where the keys of some orders lead. */
export function judge({ orders, tasks, rows, leads }) {
  const faults = []
  const byNumber = new Map()
  for (const task of tasks) {
    const { n } = task.data
    // A task whose process was killed three times in a row has ended too (I-10).
    const isOver = task.status === 'done' || task.cause === 'poison'
    byNumber.set(n, [...(byNumber.get(n) ?? []), task])
    if (!isOver) faults.push(`not run: ${n}`)
  }
  const committed = new Set(orders.map(({ n }) => n))
  const lost = orders.filter(({ n }) => !byNumber.has(n))
  const doubled = [...byNumber.values()].filter(list => list.length > 1)
  for (const { n } of lost) faults.push(`committed and lost: ${n}`)
  for (const [{ data }] of doubled) faults.push(`doubled: ${data.n}`)
  for (const n of byNumber.keys()) if (!committed.has(n)) faults.push(`never committed: ${n}`)
  for (const [n, uuid] of leads) {
    if (byNumber.get(n)?.[0].uuid !== uuid) faults.push(`its key leads elsewhere: ${n}`)
  }
  if (rows.length > 0) faults.push(`rows are left: ${rows.length}`)
  return { lost: lost.length, doubled: doubled.length, faults }
}
