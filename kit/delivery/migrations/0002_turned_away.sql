-- Who turns away after a claim statement of unknown fate must not leave a claim behind, not even when that statement
-- arrives or commits later than its taking back (P5.1). The key stays occupied by a row without token and result, which
-- is no claim: it names whom it turned away, and everybody else may claim it.
alter table claims add column turned_away uuid[];

comment on column claims.turned_away is 'Tokens of deliveries that turned away: a statement of theirs that comes later claims nothing.';
