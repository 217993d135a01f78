-- What providers called back about messages they have (P5.9), until it is said. It may come before the claim holds its
-- result, so it waits here instead of being written into the claim at once. No foreign key: claims may be gone already.
create table receipts (
    id uuid not null,
    received_at timestamptz not null,
    try smallint not null check (try > 0),
    result text not null check (result in ('delivered', 'undelivered')),
    detail text,
    primary key (id, try)
);

comment on table receipts is 'The furthest word per try. A row goes when Kafka has what follows from it, or after 30 days.';
