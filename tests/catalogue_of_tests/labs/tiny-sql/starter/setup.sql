-- Add indexes here.
select 1;
