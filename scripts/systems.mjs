// `npm run test:systems`: what `npm test` leaves out, because it installs or builds for minutes.

import { installPackages, installPythonPackages, setUp } from './setup.mjs'
import { runSteps } from './steps.mjs'
import { nodeTests, systems } from './suites.mjs'

const steps = systems.map(({ what, file, packages, python, seconds }) => ({
  name: what,
  seconds,
  async run() {
    for (const folder of packages) await installPackages(folder)
    if (python) await installPythonPackages(python)
    await nodeTests([file])
  },
}))

await runSteps([{ name: 'Set up', seconds: 1, run: setUp }, ...steps])
