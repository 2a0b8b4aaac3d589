-- Which rule a rejected message broke, finer than its reason; and with what it was repaired.

-- The part of the contract (`bad_value:severity`, `missing_field:grid_code`), else the rules of judging, each one.
ALTER TABLE quarantine ADD COLUMN IF NOT EXISTS rules Array(String) ALIAS
    if(reason IN ('missing_field', 'wrong_type', 'bad_value'),
       [concat(reason, ':', arrayStringConcat(arrayFilter(part -> part != '',
           [extract(detail, ' at `\\$\\.?([^`]*)`'), extract(detail, 'missing required field `([^`]*)`')]), '.'))],
       CAST(reasons, 'Array(String)'))
    COMMENT 'rules that it broke; a field outside the contract is named by its path';

ALTER TABLE quarantine_actions ADD COLUMN IF NOT EXISTS
    fix String COMMENT 'the patch that was applied before it was sent, masked; empty when it was sent as it was';
ALTER TABLE quarantine_actions ADD COLUMN IF NOT EXISTS
    run UUID COMMENT 'the run that did it; of two runs that claim one message, the first one sends it';
