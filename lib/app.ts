import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { settingsFrom } from './settings.ts';
import { StowageStack } from './stowage-stack.ts';

// What `cdk` runs. The stack names no account and no region: both come from the credentials it is deployed with.
const app = new App();
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
new StowageStack(app, 'Stowage', settingsFrom(app.node));
app.synth();
