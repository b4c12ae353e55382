create table goods (id int primary key, price int not null, name text not null);
insert into goods
    select i, i % 1000, repeat('x', 200) from generate_series(1, current_setting('labrunner.rows')::int) as i;
