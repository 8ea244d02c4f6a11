// Next.js calls `register` once when the server starts, never while it builds.

export async function register() {
  if (process.env.NEXT_RUNTIME !== 'nodejs') return
  const { startTasks } = await import('./tasks')
  await startTasks()
}
