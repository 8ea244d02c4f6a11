// Runs programs against an installed or linked package, as a user would.

import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The package's folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

/** An empty folder with the package installed by a link; it goes when the test is over. */
export function linkedFolder(t) {
  const folder = mkdtempSync(join(tmpdir(), 'tasker-package-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(root, join(folder, 'node_modules/tasker'), 'junction')
  for (const name of ['@opentelemetry', '@types', 'better-sqlite3']) {
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name), 'junction')
  }
  return folder
}

/** Runs a program to its end; its stdout, or an error with all it said. */
export function output(program, args, options) {
  const child = spawnSync(program, args, { encoding: 'utf8', timeout: 300_000, ...options })
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

/** Where the tools are that only these tests need; `npm test` installs them. */
const tools = `${root}__test__/package/node_modules/`

/** The compilers that users have, by version; 6.0 is that of the checkout. */
export const compilers = {
  5.9: `${tools}typescript-5.9/bin/tsc`,
  '6.0': `${root}node_modules/typescript/bin/tsc`,
  '7.0': `${tools}typescript-7.0/bin/tsc`,
}

/** Compiles with the compiler of this checkout, or another. */
export function tsc(args, cwd, compiler = compilers['6.0']) {
  return output(process.execPath, [compiler, ...args], { cwd })
}

/** Runs a tool by the path of its script. */
export const tool = (script, args, cwd) =>
  output(process.execPath, [`${tools}${script}`, ...args], { cwd })
