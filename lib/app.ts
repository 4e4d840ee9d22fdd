import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { settingsFrom } from './settings.ts';
import { StowageStack } from './stowage-stack.ts';

/** A stream host gets the newest system with the first deployment of a month. */
const month = new Date().toISOString().slice(0, 'YYYY-MM'.length);

// What `cdk` runs. The stack names no account and no region: both come from the credentials it is deployed with.
const app = new App();
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
const settings = settingsFrom(app.node, process.env['CDK_DEFAULT_REGION']);
new StowageStack(app, settings.stackName ?? 'Stowage', { ...settings, streamHostGeneration: month });
app.synth();
