// Runs programs against an installed or linked package, as a user would.

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The package's folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

/** Runs a program to its end; its stdout, or an error with all it said. */
export function output(program, args, options) {
  const child = spawnSync(program, args, { encoding: 'utf8', timeout: 120_000, ...options })
  if (child.status === 0) return child.stdout
  throw new Error(
    `${program} ${args.join(' ')}\n${child.stdout}${child.stderr}${child.error ?? ''}`,
  )
}

/** Runs an npm command without scripts and without a network. */
export function npm(args, cwd) {
  const quiet = ['--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const cli = process.env.npm_execpath
  if (cli?.endsWith('.js')) return output(process.execPath, [cli, ...args, ...quiet], { cwd })
  return output('npm', [...args, ...quiet], { cwd })
}

/** Checks types with the compiler of this checkout. */
export function tsc(args, cwd) {
  return output(process.execPath, [`${root}node_modules/typescript/bin/tsc`, ...args], { cwd })
}
