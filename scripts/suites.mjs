// The suites on the JavaScript side, for `npm test`, `npm run ready` and `npm run test:systems`.

import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { node, root } from './steps.mjs'

const folder = '__test__'

/**
 * What `npm test` leaves out, because it installs or builds for minutes; `npm run test:systems`
 * runs it. `file`: the tests, in `__test__/systems`; `packages`: the folders whose packages it
 * needs; `python`: a folder whose packages of Python it needs; `seconds`: how long it takes on two
 * idle cores, with what it installs.
 */
export const systems = [
  {
    what: 'the example of a progress page, in Chromium, which must be installed',
    file: `${folder}/systems/browser.test.mjs`,
    packages: [`${folder}/systems/browser`],
    seconds: 20,
  },
  {
    what: 'the addon, built inside an installed package',
    file: `${folder}/systems/build-native.test.mjs`,
    packages: [],
    seconds: 90,
  },
  {
    what: 'the usual client of the Task Executor API, with workers that are killed',
    file: `${folder}/systems/aidbox.test.mjs`,
    packages: [`${folder}/systems/aidbox`],
    seconds: 30,
  },
  {
    what: 'the Rust crate and this class on one file',
    file: `${folder}/systems/rust-crate.test.mjs`,
    packages: [],
    seconds: 60,
  },
  {
    what: 'workers of the Rust crate and of this class, killed in turn',
    file: `${folder}/systems/rust-crate-kills.test.mjs`,
    packages: [],
    seconds: 60,
  },
  {
    what: 'the service of HTTP, mounted in Express, Hono and Fastify',
    file: `${folder}/systems/http-frameworks.test.mjs`,
    packages: [`${folder}/systems/http-frameworks`],
    seconds: 30,
  },
  {
    what: 'metrics, read by promtool, which must be installed, and by the Python client',
    file: `${folder}/systems/metrics-parsers.test.mjs`,
    packages: [],
    python: `${folder}/systems/prometheus`,
    seconds: 15,
  },
  {
    what: 'the dashboard and the alerts, asked of a Prometheus, which must be installed',
    file: `${folder}/systems/grafana.test.mjs`,
    packages: [],
    seconds: 20,
  },
  ...[
    ['next', 'the example of Next.js: `next build` and its server', 60],
    ['nest', 'the example of NestJS', 20],
    ['jest', 'the example of a test, under jest', 30],
  ].map(([name, what, seconds]) => ({
    what,
    file: `${folder}/systems/${name}.test.mjs`,
    packages: ['__test__/package', `${folder}/systems/${name}`],
    seconds,
  })),
]

/** Every test file of `npm test`, as a path from the root. */
export function testFiles() {
  return readdirSync(join(root, folder), { recursive: true })
    .filter(name => name.endsWith('.test.mjs') && !name.includes('node_modules'))
    .map(name => `${folder}/${name.replaceAll('\\', '/')}`)
    .filter(file => !file.startsWith(`${folder}/systems/`))
    .sort()
}

/** Runs test files with Node's own runner, one on each core; it passes flags of Node on to each. */
export const nodeTests = (files, ...flags) => node([...flags, '--test', ...onAllCores(), ...files])

/** By default Node leaves a core free, which is half of two. */
function onAllCores() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  return major > 20 || minor >= 10 ? [`--test-concurrency=${availableParallelism()}`] : []
}

/** Checks ts/ against index.d.ts, and the types that users see. */
export const typeTests = () => node(['node_modules/typescript/bin/tsc', '-p', '.'])

/** Checks format and lint of everything that is not Rust. */
export const biome = (...args) => node(['node_modules/@biomejs/biome/bin/biome', ...args])
